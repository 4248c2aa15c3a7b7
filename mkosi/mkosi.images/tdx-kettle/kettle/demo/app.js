// The demo app: counts visits and keeps notes in its database, and shows the quote of the machine it runs on.

export async function onInit({ DB }) {
  await DB.batch([
    ["create table if not exists visits (id integer primary key check (id = 1), count integer not null)"],
    ["insert or ignore into visits values (1, 0)"],
    ["create table if not exists notes (id integer primary key, text text not null)"],
  ])
}

async function visit({ DB }) {
  const { rows } = await DB.execute("update visits set count = count + 1 where id = 1 returning count")
  return Response.json({ app: "demo", visits: rows[0].count })
}

async function listNotes({ DB }) {
  const { rows } = await DB.execute("select id, text from notes order by id desc limit 100")
  return Response.json({ notes: rows })
}

async function addNote({ DB }, request) {
  const text = await request.text()
  if (text.length < 1 || text.length > 1000) {
    return Response.json({ error: "a note has 1 to 1000 characters" }, { status: 400 })
  }
  const { rows } = await DB.execute("insert into notes (text) values (?) returning id, text", [text])
  return Response.json(rows[0], { status: 201 })
}

// `?report_data=` 64 bytes in hexadecimal or base64, such as a nonce that shows the quote is fresh.
async function quote({ QUOTE_SERVICE }, request) {
  try {
    return await QUOTE_SERVICE.fetch(`http://quote/quote${new URL(request.url).search}`)
  } catch {
    return Response.json({ error: "the quote service does not answer" }, { status: 503 })
  }
}

const routes = {
  "GET /": visit,
  "GET /notes": listNotes,
  "POST /notes": addNote,
  "GET /quote": quote,
}

export default {
  async fetch(request, env) {
    const route = routes[`${request.method} ${new URL(request.url).pathname}`]
    return route ? route(env, request) : Response.json({ error: "not found" }, { status: 404 })
  },
}
