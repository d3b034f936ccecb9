# Flattens one JSON document to lines "path<TAB>value", e.g. ".items.0.labels.service<TAB>payment". Escapes in strings are decoded
# as far as they matter for reading. Runs under mawk.
function fail(what) { print "json.awk: " what " at byte " at > "/dev/stderr"; exit 1 }
function skip() { while (at <= size && index(" \t\r\n", substr(text, at, 1))) at++ }
function string_at(   out, c) {
  at++
  out = ""
  while (at <= size) {
    c = substr(text, at, 1)
    if (c == "\"") { at++; return out }
    if (c == "\\") {
      at++
      c = substr(text, at, 1)
      if (c == "n" || c == "r" || c == "t") c = " "
      else if (c == "u") { c = "?"; at += 4 }
    }
    out = out c
    at++
  }
  fail("unterminated string")
}
function value_at(path,   c, n, key, start) {
  skip()
  c = substr(text, at, 1)
  if (c == "{" || c == "[") {
    at++
    n = 0
    while (1) {
      skip()
      if (substr(text, at, 1) == (c == "{" ? "}" : "]")) { at++; if (n == 0) print path "\t"; return }
      if (n > 0) { if (substr(text, at, 1) != ",") fail("expected ,"); at++; skip() }
      key = n
      if (c == "{") { key = string_at(); skip(); if (substr(text, at, 1) != ":") fail("expected :"); at++ }
      value_at(path "." key)
      n++
    }
  }
  if (c == "\"") { print path "\t" string_at(); return }
  start = at
  while (at <= size && !index(",]} \t\r\n", substr(text, at, 1))) at++
  if (at == start) fail("expected a value")
  print path "\t" substr(text, start, at - start)
}
{ text = text $0 "\n" }
END { size = length(text); at = 1; value_at("") }
