-- wrk's script: POST the body of a file, and print what wrk measured as one line of JSON.
function init(args)
   local file = assert(io.open(args[1], "rb"))
   wrk.method, wrk.body = "POST", file:read("*a")
   wrk.headers["Content-Type"] = "application/json"
   file:close()
end

function done(summary, latency)
   local e = summary.errors
   io.write(string.format('\n{"requests": %d, "rps": %.1f, "p50": %.3f, "p99": %.3f, "errors": %d}\n',
      summary.requests, summary.requests / summary.duration * 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
      e.connect + e.read + e.write + e.status + e.timeout))
end
