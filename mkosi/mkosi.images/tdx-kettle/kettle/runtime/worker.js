// What workerd starts: hands every request to the app, with a database beside the bindings.
import * as app from "app.js"
import { Database } from "./database.js"

// Said when workerd starts, so that the kettle does not start.
if (typeof app.default?.fetch !== "function") throw new Error("the app has no `export default { fetch() {} }`")

// onInit() runs once, before the first request, and again if it failed: the database may have been away.
let initialised

async function initialise(env) {
  try {
    await app.onInit?.(env)
  } catch (error) {
    initialised = undefined
    throw error
  }
}

export default {
  async fetch(request, env, context) {
    const given = { ...env, DB: new Database(env.DB_HTTP, env.DB_URL) }
    try {
      await (initialised ??= initialise(given))
      return await app.default.fetch(request, given, context)
    } catch (error) {
      // The reason is for the log, not for whoever asked.
      console.error(error)
      return Response.json({ error: "the app failed" }, { status: 500 })
    }
  },
}
