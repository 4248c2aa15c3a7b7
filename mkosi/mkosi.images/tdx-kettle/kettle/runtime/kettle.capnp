# How workerd runs a kettle. The same for all of them: what differs comes with the command line, namely the folder of the
# app (--import-path), the port (--socket-addr) and the addresses of the kettle's own database and of its own socket for quotes
# (--external-addr).
using Workerd = import "/workerd/workerd.capnp";

const kettle :Workerd.Config = (
  services = [
    (name = "app", worker = .worker),
    (name = "gate", worker = .gate),
    (name = "database", external = (address = "127.0.0.1:1", http = ())),
    (name = "quote", external = (address = "127.0.0.1:1", http = ())),
    # What fetch() reaches. Public addresses only: neither this machine, nor its neighbours, nor the metadata service.
    (
      name = "internet",
      network = (
        allow = ["public"],
        tlsOptions = (trustBrowserCas = true)
      )
    ),
    (name = "nowhere", network = (allow = [])),
  ],
  sockets = [
    (name = "http", address = "*:3001", http = (), service = "app"),
  ]
);

const worker :Workerd.Worker = (
  modules = [
    (name = "worker.js", esModule = embed "/worker.js"),
    (name = "app.js", esModule = embed "/app/app.js"),
  ],
  compatibilityDate = "2025-11-05",
  compatibilityFlags = ["nodejs_compat"],
  bindings = [
    (name = "DB_HTTP", service = "gate"),
    (name = "DB_URL", text = "http://database"),
    (name = "QUOTE_SERVICE", service = "quote"),
  ],
  globalOutbound = "internet",
);

# Between the app and its database: a time limit for statements.
const gate :Workerd.Worker = (
  modules = [(name = "gate.js", esModule = embed "/gate.js")],
  compatibilityDate = "2025-11-05",
  bindings = [(name = "SQLD", service = "database")],
  globalOutbound = "nowhere",
);
