# How workerd runs a kettle. The same for all of them: what differs comes with the command line, namely the folder of the
# app (--import-path), the port (--socket-addr) and the address of the kettle's own database (--external-addr).
using Workerd = import "/workerd/workerd.capnp";

const kettle :Workerd.Config = (
  services = [
    (name = "app", worker = .worker),
    (name = "database", external = (address = "127.0.0.1:1", http = ())),
    (name = "quote", external = (address = "127.0.0.1:4000", http = ())),
    # What fetch() reaches. Public addresses only: neither this machine, nor its neighbours, nor the metadata service.
    (
      name = "internet",
      network = (
        allow = ["public"],
        tlsOptions = (trustBrowserCas = true)
      )
    ),
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
    (name = "DB_HTTP", service = "database"),
    (name = "DB_URL", text = "http://database"),
    (name = "QUOTE_SERVICE", service = "quote"),
  ],
  globalOutbound = "internet",
);
