// Between an app and its database, in an isolate of its own so that no app goes around it: a statement that takes longer than
// SECONDS is stopped. (sqld stops a statement when whoever asked for it hangs up.)
const SECONDS = 10
// What Hrana's versions have over HTTP; no WebSockets, in which statements have no end of their own.
const PATH = /^\/v[23](\/(pipeline|cursor))?$/

function refused(status, message) {
  return Response.json({ error: message, message }, { status })
}

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url)
    if (!PATH.test(pathname)) return refused(404, "the database has no such path")
    if (request.headers.has("upgrade")) return refused(400, "the database has no WebSockets")
    const signal = AbortSignal.timeout(SECONDS * 1000)
    try {
      const { method, headers } = request
      const body = method === "POST" ? await request.arrayBuffer() : undefined
      const answer = await env.SQLD.fetch(`http://database${pathname}`, { method, headers, body, signal })
      // The whole of it within the time: rows come as they are found.
      return new Response(await answer.arrayBuffer(), { status: answer.status, headers: answer.headers })
    } catch (error) {
      if (signal.aborted) return refused(504, `a statement took longer than ${SECONDS} seconds`)
      console.error(error)
      return refused(502, "the database does not answer")
    }
  },
}
