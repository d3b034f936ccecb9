#include "sensus/llm/untrusted_text.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace sensus::llm {
namespace {

constexpr std::string_view kRedacted = "[redacted]";

bool is_alnum(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }
bool is_name_char(char c) { return is_alnum(c) || c == '_' || c == '-' || c == '.'; }
bool is_token_char(char c) { return is_alnum(c) || std::string_view("_-.~+/=%:").find(c) != std::string_view::npos; }
bool is_base64url(char c) { return is_alnum(c) || c == '_' || c == '-'; }

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

template <class Predicate>
std::size_t run_end(std::string_view text, std::size_t at, Predicate keep) {
  while (at < text.size() && keep(text[at])) {
    ++at;
  }
  return at;
}

std::size_t skip_spaces(std::string_view text, std::size_t at) {
  return run_end(text, at, [](char c) { return c == ' '; });
}

bool is_scheme_word(std::string_view word) {
  const std::string name = lower(word);
  return name == "bearer" || name == "basic" || name == "token" || name == "digest" || name == "apikey" || name == "negotiate";
}

/// What a rule found: `keep` bytes from the position stay, up to `end` is replaced. end == 0: nothing.
struct Match {
  std::size_t keep = 0;
  std::size_t end = 0;
};

/// End of a value that begins at `at`: a quoted string, or up to a blank or separator.
std::size_t value_end(std::string_view text, std::size_t at, char quote) {
  if (quote != '\0') {
    const std::size_t close = text.find(quote, at);
    return close == std::string_view::npos ? text.size() : close;
  }
  return run_end(text, at, [](char c) { return std::string_view(" \n\t\"',;&)}]|<>").find(c) == std::string_view::npos; });
}

/// `password=x`, `"api_key": "x"`, `Authorization: Bearer x`. `word_end` ends the name that begins at `begin`.
Match match_named_value(std::string_view text, std::size_t begin, std::size_t word_end) {
  if (!is_secret_name(text.substr(begin, word_end - begin))) {
    return {};
  }
  std::size_t at = word_end;
  if (at < text.size() && (text[at] == '"' || text[at] == '\'')) {
    ++at;
  }
  at = skip_spaces(text, at);
  if (at >= text.size() || (text[at] != '=' && text[at] != ':')) {
    return {};
  }
  at = skip_spaces(text, at + 1);
  char quote = '\0';
  if (at < text.size() && (text[at] == '"' || text[at] == '\'')) {
    quote = text[at++];
  }
  std::size_t end = value_end(text, at, quote);
  if (quote == '\0' && is_scheme_word(text.substr(at, end - at))) {
    end = value_end(text, skip_spaces(text, end), '\0');
  }
  return end > at ? Match{at - begin, end} : Match{};
}

/// `Bearer <token>`, `Basic <token>` anywhere.
Match match_credentials(std::string_view text, std::size_t begin, std::size_t word_end) {
  const std::string word = lower(text.substr(begin, word_end - begin));
  if (word != "bearer" && word != "basic") {
    return {};
  }
  const std::size_t at = skip_spaces(text, word_end);
  const std::size_t end = run_end(text, at, is_token_char);
  return at > word_end && end - at >= 8 ? Match{at - begin, end} : Match{};
}

/// `scheme://user:password@host`: only the user part goes.
Match match_url_user(std::string_view text, std::size_t begin, std::size_t word_end) {
  if (text.substr(word_end, 3) != "://") {
    return {};
  }
  const std::size_t at = word_end + 3;
  const std::size_t end =
      run_end(text, at, [](char c) { return std::string_view("/ \n\t\"'<>?#").find(c) == std::string_view::npos; });
  const std::size_t sign = text.substr(0, end).rfind('@');
  return sign != std::string_view::npos && sign > at ? Match{at - begin, sign} : Match{};
}

struct KeyForm {
  std::string_view prefix;
  std::size_t least;  ///< Characters after the prefix.
};
constexpr std::array kKeyForms = {
    KeyForm{"AKIA", 16},        KeyForm{"ASIA", 16},   KeyForm{"ghp_", 20},  KeyForm{"gho_", 20},  KeyForm{"ghs_", 20},
    KeyForm{"github_pat_", 20}, KeyForm{"glpat-", 16}, KeyForm{"xoxb-", 10}, KeyForm{"xoxp-", 10}, KeyForm{"xoxa-", 10},
    KeyForm{"xapp-", 10},       KeyForm{"sk-", 16},    KeyForm{"sk_live_", 10}, KeyForm{"AIza", 30}, KeyForm{"hvs.", 20},
    KeyForm{"dop_v1_", 20},     KeyForm{"npm_", 20},   KeyForm{"SG.", 20},
};

Match match_key_form(std::string_view text, std::size_t begin) {
  const std::string_view rest = text.substr(begin);
  for (const KeyForm& form : kKeyForms) {
    if (!rest.starts_with(form.prefix)) {
      continue;
    }
    const std::size_t end = run_end(text, begin + form.prefix.size(), is_name_char);
    if (end - begin - form.prefix.size() >= form.least) {
      return {0, end};
    }
  }
  return {};
}

/// Three base64url parts; the first two of a JWT begin with "eyJ".
Match match_jwt(std::string_view text, std::size_t begin) {
  if (!text.substr(begin).starts_with("eyJ")) {
    return {};
  }
  const std::size_t first = run_end(text, begin, is_base64url);
  if (first - begin < 10 || !text.substr(first).starts_with(".eyJ")) {
    return {};
  }
  std::size_t end = run_end(text, first + 1, is_base64url);
  if (end < text.size() && text[end] == '.') {
    end = run_end(text, end + 1, is_base64url);
  }
  return {0, end};
}

Match match_private_key(std::string_view text, std::size_t begin) {
  if (!text.substr(begin).starts_with("-----BEGIN ")) {
    return {};
  }
  const std::size_t head_end = text.find("-----", begin + 11);
  if (head_end == std::string_view::npos || text.substr(begin, head_end - begin).find("KEY") == std::string_view::npos) {
    return {};
  }
  const std::size_t foot = text.find("-----END ", head_end);
  if (foot == std::string_view::npos) {
    return {0, text.size()};
  }
  const std::size_t foot_end = text.find("-----", foot + 9);
  return {0, foot_end == std::string_view::npos ? text.size() : foot_end + 5};
}

/// `name@host.tld`, where the name begins at `begin`.
Match match_email(std::string_view text, std::size_t begin) {
  // A local part has at most 64 characters (RFC 5321), which also bounds the work for each word.
  const std::string_view head = text.substr(0, std::min(text.size(), begin + 65));
  const std::size_t sign = run_end(head, begin, [](char c) { return is_name_char(c) || c == '+' || c == '%'; });
  if (sign == begin || sign >= text.size() || text[sign] != '@') {
    return {};
  }
  std::size_t end = run_end(text, sign + 1, [](char c) { return is_alnum(c) || c == '-' || c == '.'; });
  while (end > sign && text[end - 1] == '.') {
    --end;
  }
  const std::size_t dot = text.substr(0, end).rfind('.');
  if (dot == std::string_view::npos || dot <= sign || end - dot < 3) {
    return {};
  }
  return {0, end};
}

/// Rules that begin at the start of a word.
Match match_word(std::string_view text, std::size_t begin, std::size_t word_end) {
  const std::array<Match, 6> found = {match_key_form(text, begin),
                                      match_jwt(text, begin),
                                      match_email(text, begin),
                                      match_credentials(text, begin, word_end),
                                      match_named_value(text, begin, word_end),
                                      match_url_user(text, begin, word_end)};
  const auto* hit = std::find_if(found.begin(), found.end(), [](const Match& match) { return match.end != 0; });
  return hit == found.end() ? Match{} : *hit;
}

}  // namespace

bool is_secret_name(std::string_view name) {
  static constexpr std::array<std::string_view, 19> kEndings = {
      "password", "passwd",    "passphrase", "pwd",        "secret",     "token",         "api_key",
      "apikey",   "api-key",   "access_key", "access-key", "secret_key", "private_key",   "private-key",
      "auth_key", "authorization", "credential", "credentials", "cookie"};
  const std::string low = lower(name);
  return low.find("password") != std::string::npos ||
         std::any_of(kEndings.begin(), kEndings.end(), [&low](std::string_view end) { return low.ends_with(end); });
}

std::string redact_secrets(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  std::size_t i = 0;
  while (i < text.size()) {
    Match match = match_private_key(text, i);
    std::size_t word_end = i;
    if (match.end == 0 && (is_alnum(text[i]) || text[i] == '_')) {
      word_end = run_end(text, i, is_name_char);
      match = match_word(text, i, word_end);
    }
    if (match.end != 0) {
      out.append(text.substr(i, match.keep)).append(kRedacted);
      i = match.end;
      continue;
    }
    const std::size_t next = std::max(word_end, i + 1);
    out.append(text.substr(i, next - i));
    i = next;
  }
  return out;
}

}  // namespace sensus::llm
