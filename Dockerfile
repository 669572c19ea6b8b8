# The service in a container: docker build -t signet .
#
#     docker run --read-only --cap-drop ALL -v signet-data:/etc/signet -v signet-run:/run/signet signet
#
# /etc/signet holds signet.yaml, PIN files and, for SoftHSM, the token; its sockets go to /run/signet, a volume that the web
# server's container shares. A vendor's PKCS#11 module is mounted or added in an image of your own.
# The machine on which this file was written has no container engine: it was never built there.

FROM node:20-bookworm AS build
WORKDIR /src
ENV npm_config_nodedir=/usr/local
COPY scripts/install-packages scripts/debian-packages.txt scripts/
RUN scripts/install-packages build
COPY . .
RUN make build && npm prune --omit=dev --no-audit --no-fund

FROM node:20-bookworm-slim
RUN apt-get update \
    && apt-get install -y --no-install-recommends softhsm2 \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --system signet \
    && useradd --system --gid signet --home-dir /var/lib/signet --create-home signet \
    && install -d -o signet -g signet -m 0755 /run/signet /etc/signet
WORKDIR /opt/signet
COPY --from=build /src/package.json ./
COPY --from=build /src/node_modules node_modules
COPY --from=build /src/dist dist
COPY --from=build /src/proto proto
COPY --from=build /src/bin bin
COPY --from=build /src/build/signet_addon.node build/
# For the images of web servers: COPY --from=signet /opt/signet/build/native/signet.so …
COPY --from=build /src/build/native/signet.so build/native/
ENV NODE_ENV=production SIGNET_CONFIG=/etc/signet/signet.yaml PATH=/opt/signet/bin:$PATH
USER signet
VOLUME ["/etc/signet", "/run/signet", "/var/lib/signet"]
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s CMD ["signet", "status"]
ENTRYPOINT ["signet"]
CMD ["serve"]
