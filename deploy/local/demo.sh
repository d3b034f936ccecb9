#!/usr/bin/env bash
# The demonstration of deploy/local/up: two hours of metrics of three services with one fault in them, then the alert that the fault
# raises, then what Sensus makes of it. Needs bash, awk and curl.
#   deploy/local/demo.sh [http://localhost:8080]
# Run again on the same data it sends nothing and shows what is there.
set -euo pipefail
url=${1:-http://localhost:8080}
here=$(cd "$(dirname "$0")" && pwd)
alert_name=PaymentErrorRatioHigh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fetch() { curl -sS --max-time 20 "$url$1"; }
flat() { awk -f "$here/json.awk"; }
# Value of a path in flattened JSON, nothing when there is none.
pick() { awk -F'\t' -v path="$1" '$1 == path { print $2; exit }'; }

# On a terminal a line that counts up; elsewhere only its last state.
progress() { [ ! -t 1 ] || printf '\r   %s' "$1"; last_progress=$1; }
progress_end() { if [ -t 1 ]; then printf '\n'; else printf '   %s\n' "$last_progress"; fi; }

post() { # PATH FILE: retries what the daemon asks to retry
  local status
  for _ in 1 2 3 4 5; do
    status=$(curl -sS --max-time 20 -o "$work/answer" -w '%{http_code}' -H 'Content-Type: application/json' --data-binary "@$2" "$url$1")
    [ "$status" != 202 ] || return 0
    [ "$status" = 503 ] || break
    sleep 1
  done
  echo "POST $1 answered $status: $(cat "$work/answer")" >&2
  exit 1
}

find_alert() { fetch "/api/v1/alerts?alertname=$alert_name&limit=1" | flat | pick .items.0.id; }

send_metrics() {
  local sent=0 body
  awk -v end="$1" -v fault="$2" -f "$here/demo.awk" >"$work/bodies"
  while IFS= read -r body; do
    printf '%s' "$body" >"$work/body"
    post /api/v1/metrics "$work/body"
    sent=$((sent + $(flat <"$work/answer" | pick .accepted)))
    progress "$sent samples sent"
  done <"$work/bodies"
  progress_end
}

count_anomalies() { fetch "/api/v1/anomalies?from=$1&limit=200" | flat | awk -F'\t' '$1 ~ /\.score$/ { n++ } END { print n + 0 }'; }

wait_for_anomalies() {
  local second count last=-1 same=0
  for second in $(seq 60); do
    count=$(count_anomalies "$1")
    progress "$count anomalies since the fault began ($second s)"
    # Enough when some are there and no more come.
    if [ "$count" -gt 0 ] && [ "$count" = "$last" ]; then same=$((same + 1)); else same=0; fi
    [ "$same" -lt 3 ] || break
    last=$count
    sleep 1
  done
  progress_end
}

send_alert() {
  cat >"$work/alert" <<JSON
[{"labels":{"alertname":"$alert_name","severity":"critical","service":"payment","env":"demo"},
  "annotations":{"summary":"payment answers more than 10 % of its requests with errors",
                 "description":"The share of failed requests of payment has been above 10 % for two minutes."},
  "startsAt":"$1","generatorURL":"$url/api/v1/query_range?metric_name=service_error_ratio"}]
JSON
  post /api/v1/alerts "$work/alert"
  flat <"$work/answer" | pick .ids.0
}

wait_for_analysis() {
  for _ in $(seq 150); do
    fetch "/api/v1/alerts/$1" | flat >"$work/alert.flat"
    [ -z "$(pick .analyses.0.id <"$work/alert.flat")" ] || return 0
    sleep 0.1
  done
  echo "no analysis of alert $1 within 15 s; look at the log" >&2
  exit 1
}

show() {
  local id=$1
  awk -F'\t' -v width=100 '
    function wrap(text, indent,   n, i, words, line) {
      n = split(text, words, " "); line = indent
      for (i = 1; i <= n; i++) {
        if (length(line) + length(words[i]) + 1 > width && line != indent) { print line; line = indent }
        line = line (line == indent ? "" : " ") words[i]
      }
      print line
    }
    { value[$1] = $2 }
    END {
      printf "Alert %s: %s (%s), service %s, since %s\n\n", value[".id"], value[".alert_name"], value[".severity"], value[".labels.service"], value[".starts_at"]
      for (a = 0; (p = ".analyses." a) && ((p ".id") in value); a++) {
        d = p ".analysis_data"
        printf "%s by %s, confidence %.2f\n", value[p ".analysis_type"], value[p ".model_name"], value[p ".confidence_score"]
        if ((d ".summary") in value) { print ""; wrap(value[d ".summary"], "   ") }
        if ((d ".root_cause") in value) { print ""; wrap("Root cause: " value[d ".root_cause"], "   "); wrap("Mitigation: " value[d ".mitigation"], "   ") }
        if ((d ".suspects.0.metric_name") in value) {
          printf "\n   %-30s %-10s %9s %9s %7s %8s\n", "suspect", "service", "expected", "value", "score", "starts"
          for (s = 0; s < 8 && ((d ".suspects." s ".metric_name") in value); s++) {
            q = d ".suspects." s
            printf "   %-30s %-10s %9.4g %9.4g %7.2f %6d s\n", value[q ".metric_name"], value[q ".labels.service"], value[q ".expected"], value[q ".value"], value[q ".score"], value[q ".offset_s"]
          }
          print "   (starts: seconds from the start of the alert; negative is before)"
        }
        print ""
      }
    }' "$work/alert.flat"
  cat <<TEXT
Look again:
  curl -s $url/api/v1/alerts/$id
  curl -s $url/api/v1/analysis/latest
  curl -s '$url/api/v1/anomalies?limit=20'
  curl -s '$url/api/v1/query_range?metric_name=service_error_ratio&step=60s'
  curl -sN $url/api/v1/events
TEXT
}

id=$(find_alert)
if [ -n "$id" ]; then
  echo "== the demonstration of an earlier start is still there"
else
  now=$(date +%s)
  end=$((now / 15 * 15))
  fault=$((now / 60 * 60 - 420))
  echo "== sending two hours of metrics of payment, checkout and catalog"
  send_metrics "$end" "$fault"
  echo "== waiting for the detectors"
  wait_for_anomalies "$fault"
  echo "== raising the alert"
  id=$(send_alert "$(date -u -d "@$((fault + 240))" +%Y-%m-%dT%H:%M:%SZ)")
fi
echo "== the analysis"
echo
wait_for_analysis "$id"
show "$id"
