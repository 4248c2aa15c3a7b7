// What workerd starts: hands every request to the app, with a database beside the bindings. Two paths are not the app's:
// HEALTH answers 200 once the app is initialised and its database takes what is written, ALIVE as soon as anything answers.
import * as app from "app.js"
import { Database } from "./database.js"

const HEALTH = "/.kettle/health"
const ALIVE = "/.kettle/alive"

// An app that was CommonJS has its exports in `default`; one that a compiler made such, its own `default` in there as well.
const exported = app.default?.__esModule ? app.default : app
const main = typeof exported.default?.fetch === "function" ? exported.default : exported
const onInit = exported.onInit ?? main.onInit

// Said when workerd starts, so that the kettle does not start.
if (typeof main.fetch !== "function") throw new Error("the app has no `export default { fetch() {} }`")

// Whether onInit() went well. Requests that come before the first has finished run it too, and none waits for another's:
// a request whose client hangs up is stopped, and would take those that wait with it.
let initialised = false

// Whoever asks for the health makes a kettle write, so once a second is enough. The table is the runtime's own: a database that
// can be read but not written is not well.
let written = 0
async function write(DB) {
  if (Date.now() < written + 1000) return
  await DB.batch([
    ["create table if not exists _kettle_health (id integer primary key check (id = 1), content blob not null)"],
    ["insert or replace into _kettle_health values (1, randomblob(4096))"],
  ])
  written = Date.now()
}

export default {
  async fetch(request, env, context) {
    const { pathname } = new URL(request.url)
    if (pathname === ALIVE) return Response.json({ status: "alive" })
    const DB = new Database(env.DB_HTTP, env.DB_URL)
    const given = { ...env, DB }
    try {
      if (!initialised) await onInit?.(given)
      initialised = true
      if (pathname === HEALTH) {
        await write(DB)
        return Response.json({ status: "ok" })
      }
      return await main.fetch(request, given, context)
    } catch (error) {
      // The reason is for the log, not for whoever asked.
      console.error(error)
      return Response.json({ error: "the app failed" }, { status: 500 })
    }
  },
}
