-- Posts of 64 new alerts each; every alert is an episode of its own.
local counter = 0
local run = os.time()
local thread_count = 0

function setup(thread)
  thread:set("id", thread_count)
  thread_count = thread_count + 1
end

function request()
  local parts = {}
  for i = 1, 64 do
    counter = counter + 1
    parts[i] = string.format('{"labels":{"alertname":"Bench","severity":"warning","n":"%d-%d-%d","instance":"host-%d"},'
      .. '"annotations":{"description":"benchmark alert"},"status":"firing"}', run, id, counter, counter % 500)
  end
  return wrk.format("POST", "/api/v1/alerts", {["Content-Type"] = "application/json"}, "[" .. table.concat(parts, ",") .. "]")
end

function done(summary, latency, requests)
  local bad = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout
  io.write(string.format("RESULT %.0f %.3f %.3f %d\n", summary.requests * 64 / summary.duration * 1e6,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, bad))
end
