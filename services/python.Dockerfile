# Every Python service of ours: its lock file and, where it has a pyproject.toml, its package. Context: services/.
#   docker build -f services/python.Dockerfile --build-arg SERVICE=prediction-api services
ARG PYTHON_IMAGE=python:3.13.15-slim-trixie

FROM ${PYTHON_IMAGE} AS builder
ARG BUILD_PACKAGES=""
RUN if [ -n "$BUILD_PACKAGES" ]; then apt-get update && apt-get install --yes --no-install-recommends $BUILD_PACKAGES; fi
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
ENV UV_CACHE_DIR=/var/cache/uv UV_LINK_MODE=copy UV_COMPILE_BYTECODE=1 UV_PYTHON_DOWNLOADS=never VIRTUAL_ENV=/opt/venv
# The secret `ca` is the machine's bundle of CAs, for builds behind a proxy that opens TLS.
RUN --mount=type=secret,id=ca \
    if [ -s /run/secrets/ca ]; then export PIP_CERT=/run/secrets/ca; fi \
    && pip install --target /opt/uv uv==0.13.8 && /opt/uv/bin/uv venv --python /usr/local/bin/python /opt/venv
ARG SERVICE
ARG LOCK=requirements.lock
COPY ${SERVICE}/${LOCK} /build/requirements.lock
RUN --mount=type=secret,id=ca --mount=type=cache,target=/var/cache/uv \
    if [ -s /run/secrets/ca ]; then export SSL_CERT_FILE=/run/secrets/ca; fi \
    && /opt/uv/bin/uv pip sync --require-hashes /build/requirements.lock
COPY ${SERVICE} /build/source
RUN --mount=type=secret,id=ca --mount=type=cache,target=/var/cache/uv \
    if [ ! -f /build/source/pyproject.toml ]; then exit 0; fi; \
    if [ -s /run/secrets/ca ]; then export SSL_CERT_FILE=/run/secrets/ca; fi \
    && echo hatchling==1.31.0 > /build/constraints.txt \
    && /opt/uv/bin/uv pip install --no-deps --build-constraints /build/constraints.txt /build/source
# Half of what large libraries install is their own tests.
RUN cd /opt/venv/lib/python*/site-packages \
    && for library in numpy pandas pyarrow scipy sklearn; do \
        if [ -d "$library" ]; then find "$library" -type d -name tests -prune -exec rm -rf {} +; fi; \
    done; \
    rm -rf pyarrow/include

FROM ${PYTHON_IMAGE}
ARG RUN_PACKAGES=""
RUN if [ -n "$RUN_PACKAGES" ]; then apt-get update && apt-get install --yes --no-install-recommends $RUN_PACKAGES; fi \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home app \
    && install --directory --owner=app --group=app /data /data/logs # a new volume takes the owner of its folder
COPY --chmod=755 healthcheck /usr/local/bin/healthcheck
COPY --from=builder /opt/venv /opt/venv
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
WORKDIR /data
