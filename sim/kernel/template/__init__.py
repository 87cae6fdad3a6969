"""system/template.yaml as the harness reads it: what to provision, and how events travel."""
