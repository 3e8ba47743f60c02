# Two images: `service` (the default) and `sample-data`, which loads the sample installation into an Elasticsearch.
#
# Both hold one program and the C library it needs, nothing else: no shell, no package manager, nothing to break out with and nothing to patch
# but what a new build of this file brings. Not a static program, because musl's memory allocator and name resolution are slower, and glibc can't
# resolve names when linked statically. No certificates either: the public authorities are compiled into the program (webpki-roots), and a cluster
# with an authority of its own gets it from --elasticsearch-ca-file. Time zones are compiled in too.

# The version is that of rust-toolchain.toml. That file stays out of the build: rustup would download the developer's tools it asks for.
FROM rust:1.95.0-slim-bookworm AS manifests
WORKDIR /build
COPY Cargo.toml Cargo.lock ./
COPY crates/cluster/Cargo.toml crates/cluster/
COPY crates/launch/Cargo.toml crates/launch/
COPY crates/optimize/Cargo.toml crates/optimize/
COPY crates/testkit/Cargo.toml crates/testkit/
COPY crates/utf16/Cargo.toml crates/utf16/
COPY xtask/Cargo.toml xtask/
# With empty programs the dependencies become layers of their own, which are built again only when the manifests change.
RUN mkdir src crates/cluster/src crates/launch/src crates/optimize/src crates/testkit/src crates/utf16/src xtask/src benches \
    && echo 'fn main() {}' | tee src/main.rs xtask/src/main.rs benches/page.rs benches/request.rs benches/tables.rs \
    && touch src/lib.rs crates/cluster/src/lib.rs crates/launch/src/lib.rs crates/optimize/src/lib.rs crates/testkit/src/lib.rs crates/utf16/src/lib.rs xtask/src/lib.rs

FROM manifests AS build-sample-data
RUN cargo build --release --locked --package xtask
COPY es-mappings es-mappings
COPY crates/launch crates/launch
COPY crates/testkit crates/testkit
COPY xtask xtask
# Cargo compares times, and copied files keep theirs, which may be older than the empty program.
RUN touch crates/launch/src/lib.rs crates/testkit/src/lib.rs xtask/src/lib.rs xtask/src/main.rs \
    && cargo build --release --locked --package xtask
# `ldd` knows the libraries and the loader; glibc reads /etc/hosts first only when it is told to.
RUN mkdir -p /image/etc \
    && echo 'hosts: files dns' > /image/etc/nsswitch.conf \
    && cp target/release/xtask /image/ \
    && ldd target/release/xtask | grep -o '/[^ ]*' | xargs cp --dereference --parents --target-directory /image

FROM manifests AS build-service
RUN cargo build --release --locked --package optimize-export
COPY crates/cluster crates/cluster
COPY crates/optimize crates/optimize
COPY crates/utf16 crates/utf16
COPY src src
RUN touch crates/*/src/lib.rs src/lib.rs src/main.rs \
    && cargo build --release --locked --package optimize-export
RUN mkdir -p /image/etc \
    && echo 'hosts: files dns' > /image/etc/nsswitch.conf \
    && cp target/release/optimize-export /image/ \
    && ldd target/release/optimize-export | grep -o '/[^ ]*' | xargs cp --dereference --parents --target-directory /image

FROM scratch AS sample-data
COPY --from=build-sample-data /image /
USER 65532:65532
# The address of the cluster comes from ELASTICSEARCH_URL.
ENTRYPOINT ["/xtask", "sample"]
CMD ["load"]

FROM scratch AS service
LABEL org.opencontainers.image.title="optimize-export" \
      org.opencontainers.image.description="Camunda Optimize's report data export, served straight from Elasticsearch" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build-service /image /
# The allocator keeps less of what it was given back: 64 large results at once took 88 MiB in place of 252. But four megabytes it keeps, or a
# tenth of the processor time of an export goes into getting them back.
ENV MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=262144 MALLOC_TRIM_THRESHOLD_=4194304
# A number, because Kubernetes' runAsNonRoot can't look up names. It owns nothing, so the program can't write anywhere.
USER 65532:65532
# The export; health checks.
EXPOSE 8095 8096
# Ready means that Elasticsearch answers. The longest wait of the command itself is 5 seconds.
HEALTHCHECK --interval=5s --timeout=6s --start-period=30s --retries=3 CMD ["/optimize-export", "healthcheck"]
ENTRYPOINT ["/optimize-export"]
CMD ["serve"]
