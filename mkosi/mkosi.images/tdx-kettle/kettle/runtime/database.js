// A kettle's database: SQL over the HTTP of sqld (Hrana 2, https://github.com/tursodatabase/libsql/blob/main/docs/HTTP_V2_SPEC.md).

// A JavaScript value as Hrana writes it.
function encode(value) {
  if (value === null || value === undefined) return { type: "null" }
  if (typeof value === "string") return { type: "text", value }
  if (typeof value === "bigint") return { type: "integer", value: String(value) }
  if (typeof value === "boolean") return { type: "integer", value: value ? "1" : "0" }
  if (typeof value === "number") {
    if (!Number.isFinite(value)) throw new TypeError(`${value} is no value of SQL`)
    return Number.isSafeInteger(value) ? { type: "integer", value: String(value) } : { type: "float", value }
  }
  if (value instanceof ArrayBuffer) return encode(new Uint8Array(value))
  if (value instanceof Uint8Array) return { type: "blob", base64: value.toBase64() }
  throw new TypeError(`a ${typeof value} is no value of SQL`)
}

// Integers that a number cannot hold exactly come back as bigint.
function decode(value) {
  switch (value.type) {
    case "null":
      return null
    case "integer": {
      const number = Number(value.value)
      return Number.isSafeInteger(number) ? number : BigInt(value.value)
    }
    case "blob":
      return Uint8Array.fromBase64(value.base64)
    default:
      return value.value
  }
}

function statement(sql, args) {
  return { sql, args: args.map(encode), want_rows: true }
}

// {columns, rows, changes, lastInsertRowid}; a row is an object with the columns' names.
function table(result) {
  const columns = result.cols.map((column) => column.name)
  const row = (values) => Object.fromEntries(values.map((value, index) => [columns[index], decode(value)]))
  return {
    columns,
    rows: result.rows.map(row),
    changes: result.affected_row_count,
    lastInsertRowid: result.last_insert_rowid,
  }
}

export class Database {
  constructor(fetcher, url) {
    this.fetcher = fetcher
    this.url = url
  }

  // One statement: `execute("select * from notes where id = ?", [1])`.
  async execute(sql, args = []) {
    const [response] = await this.send([{ type: "execute", stmt: statement(sql, args) }])
    return table(response.result)
  }

  // Several statements, `[sql, args]` each: all of them take effect, or none.
  async batch(statements) {
    const whenOk = (step) => ({ type: "ok", step })
    const steps = [
      { stmt: statement("begin immediate", []) },
      ...statements.map(([sql, args = []], index) => ({ stmt: statement(sql, args), condition: whenOk(index) })),
      { stmt: statement("commit", []), condition: whenOk(statements.length) },
      { stmt: statement("rollback", []), condition: { type: "not", cond: whenOk(statements.length + 1) } },
    ]
    const [response] = await this.send([{ type: "batch", batch: { steps } }])
    const { step_results: results, step_errors: errors } = response.result
    const failed = errors.slice(0, -1).find((error) => error)
    if (failed) throw new Error(failed.message)
    return results.slice(1, -2).map(table)
  }

  async send(requests) {
    const answer = await this.fetcher.fetch(`${this.url}/v2/pipeline`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ requests: [...requests, { type: "close" }] }),
    })
    if (!answer.ok) throw new Error(`the database answered ${answer.status}: ${await answer.text()}`)
    const { results } = await answer.json()
    const failed = results.find((result) => result.type === "error")
    if (failed) throw new Error(failed.error.message)
    return results.slice(0, -1).map((result) => result.response)
  }
}
