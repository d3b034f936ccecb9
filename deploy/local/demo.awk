# Writes the metrics of the demonstration as bodies for POST /api/v1/metrics, one a line, each five minutes of samples.
# Variables: end (Unix seconds of the last sample), fault (Unix seconds of the fault's beginning).
# Three services, a sample each 15 s for two hours. The fault: payment's database connections run out; its latency follows, then
# its errors, then checkout, which calls it, slows down. catalog has nothing to do with it.
function noise() { return (rand() + rand() + rand()) / 1.5 - 1 }  # -1..1, mostly near 0
function grown(seconds, over) { return seconds <= 0 ? 0 : seconds >= over ? 1 : seconds / over }
function sample(name, service, value) {
  body = body (body == "" ? "" : ",") sprintf("{\"metric_name\":\"%s\",\"metric_value\":%.5g,\"labels\":{\"service\":\"%s\",\"env\":\"demo\"},\"timestamp\":%d}", name, value, service, t)
}
function service(name, rate, errors, latency, cpu, pool, sick, slowed) {
  sample("service_requests_per_second", name, rate * (1 + 0.05 * noise()))
  sample("service_error_ratio", name, errors * (1 + 0.3 * noise()) + 0.28 * sick * (1 + 0.1 * noise()))
  sample("service_latency_seconds", name, latency * (1 + 0.08 * noise()) * (1 + 9 * slowed))
  sample("service_cpu_ratio", name, cpu * (1 + 0.06 * noise()))
  sample("service_db_connections", name, int(pool * (1 + 0.1 * noise()) + 0.5))
}
BEGIN {
  srand(20261120)
  for (t = end - 7185; t <= end; t += 15) {
    held = grown(t - fault, 45)            # connections are taken and not given back
    slow = grown(t - fault - 30, 60)       # requests wait for one
    sick = grown(t - fault - 75, 60)       # and time out
    service("payment", 80, 0.004, 0.12, 0.35, 12 + 28 * held, sick, slow)
    service("checkout", 120, 0.003, 0.2, 0.4, 10, 0.15 * sick, 0.4 * grown(t - fault - 90, 60))
    service("catalog", 300, 0.002, 0.05, 0.5, 8, 0, 0)
    if (++steps % 20 == 0) { print "{\"metrics\":[" body "]}"; body = "" }
  }
  if (body != "") print "{\"metrics\":[" body "]}"
}
