// What workerd starts: hands every request to the app, with a database beside the bindings. One path is not the app's:
// HEALTH answers 200 once the app is initialised and its database there.
import * as app from "app.js"
import { Database } from "./database.js"

const HEALTH = "/.kettle/health"

// Said when workerd starts, so that the kettle does not start.
if (typeof app.default?.fetch !== "function") throw new Error("the app has no `export default { fetch() {} }`")

// Whether onInit() went well. Requests that come before the first has finished run it too, and none waits for another's:
// a request whose client hangs up is stopped, and would take those that wait with it.
let initialised = false

export default {
  async fetch(request, env, context) {
    const DB = new Database(env.DB_HTTP, env.DB_URL)
    const given = { ...env, DB }
    try {
      if (!initialised) await app.onInit?.(given)
      initialised = true
      if (new URL(request.url).pathname === HEALTH) {
        await DB.execute("select 1")
        return Response.json({ status: "ok" })
      }
      return await app.default.fetch(request, given, context)
    } catch (error) {
      // The reason is for the log, not for whoever asked.
      console.error(error)
      return Response.json({ error: "the app failed" }, { status: 500 })
    }
  },
}
