"""Our own document formats: reference files, releases, manifests and locks of inputs. JSON in, values out."""
