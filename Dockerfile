# The exchange in real time, for docker compose: what `make setup` makes, on Node's image with Debian's Python.
FROM node:22.21.0-bookworm-slim
RUN apt-get update \
 && apt-get install --no-install-recommends -y ca-certificates git make python3 python3-venv \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /dexsim
COPY . .
RUN make setup
CMD [".venv/bin/dexsim", "up", "--host", "0.0.0.0"]
