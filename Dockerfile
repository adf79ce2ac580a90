# The gateway as an image: `docker build -t onemcp .`
# Node.js releases are many: in production give one with a digest, --build-arg NODE_IMAGE=node:24-bookworm-slim@sha256:…
ARG NODE_IMAGE=node:24-bookworm-slim

# --- build: everything npm gives, nothing of which is in the image but what the bundle holds ---
FROM ${NODE_IMAGE} AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY rolldown.config.ts tsconfig.json tsconfig.types.json config.schema.json ./
COPY src ./src
RUN npm run build

# --- demo: an MCP server over HTTP, for the examples of docker-compose.development.yml ---
FROM build AS demo
ENV NODE_ENV=production PORT=3001
USER 10001:10001
EXPOSE 3001
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 \
  CMD ["node", "-e", "require('net').connect(+process.env.PORT, '127.0.0.1').once('connect', () => process.exit(0)).once('error', () => process.exit(1))"]
ENTRYPOINT ["node", "node_modules/@modelcontextprotocol/server-everything/dist/index.js"]
CMD ["streamableHttp"]

# --- the gateway ---
FROM ${NODE_IMAGE} AS gateway
# tini is PID 1: it passes signals on, and collects what servers leave behind. The gateway needs /bin/sh, grep and sleep (its
# reaper), which the base image has, and no other program.
RUN apt-get update \
  && apt-get install -y --no-install-recommends tini \
  && rm -rf /var/lib/apt/lists/* \
  && mkdir -p /etc/onemcp /var/lib/onemcp /var/log/onemcp \
  && chown 10001:10001 /var/lib/onemcp /var/log/onemcp \
  && ln -s /app/dist/main.js /usr/local/bin/onemcp
WORKDIR /app
COPY --from=build --chmod=0755 /src/dist/ /app/dist/
COPY LICENSE THIRD-PARTY-NOTICES.md package.json config.schema.json /app/
COPY deploy/docker/mcp.json /etc/onemcp/mcp.json
# Only these two folders are written to: give them a volume or a tmpfs, and the rest may be read-only.
# HOME is for servers that keep something there, such as the cache of npx.
ENV NODE_ENV=production ONEMCP_STATE_DIR=/var/lib/onemcp HOME=/var/lib/onemcp
USER 10001:10001
EXPOSE 3050
STOPSIGNAL SIGTERM
# 503 only while no server is usable, or a critical one is not.
HEALTHCHECK --interval=30s --timeout=10s --start-period=10s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:3050/health').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["tini", "--", "node", "/app/dist/main.js"]
# It listens on every address of the container, or nothing outside could reach it. There is no authentication yet, which
# --insecure-no-auth owns up to: publish the port to 127.0.0.1 only, or put something in front that authenticates.
CMD ["run", "/etc/onemcp/mcp.json", "--host", "0.0.0.0", "--insecure-no-auth", "--log-format", "json"]
