"""The exchange in real time, on 127.0.0.1: what `dexsim up` starts."""
