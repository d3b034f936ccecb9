-- One sample a request, 1,000 series, values that change.
local bodies = {}
local next_body = 0

function init(args)
  for i = 1, 1000 do
    bodies[i] = wrk.format("POST", "/api/v1/metrics", {["Content-Type"] = "application/json"},
      string.format('{"metric_name":"cpu_usage","metric_value":%d.5,"labels":{"host":"server-%d","zone":"z%d"}}', i % 97, i, i % 7))
  end
end

function request()
  next_body = next_body % 1000 + 1
  return bodies[next_body]
end

function done(summary, latency, requests)
  local bad = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout
  io.write(string.format("RESULT %.0f %.3f %.3f %d\n", summary.requests / summary.duration * 1e6,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, bad))
end
