"""The only place that uses the network: a content-addressed download store, filled from several sources."""
