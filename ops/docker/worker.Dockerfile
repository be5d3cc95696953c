# The `weir` command with its agents: runs the worker, and (docker-compose.yml) creates topics and assembles the model.
# Built from the repository's root: docker build --file ops/docker/worker.Dockerfile .

FROM python:3.12.11-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv /opt/weir
COPY ops/constraints/run.txt ops/docker/without.py /tmp/
# The lock without the bundled Triton server (250 MB): here it is a container of its own.
RUN python /tmp/without.py nvidia-pytriton < /tmp/run.txt > /tmp/requirements.txt \
    && /opt/weir/bin/pip install --require-hashes --no-deps --requirement /tmp/requirements.txt
COPY . .
RUN /opt/weir/bin/pip install --no-deps --no-build-isolation .

FROM python:3.12.11-slim-bookworm
LABEL org.opencontainers.image.title="weir-worker" org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/weir /opt/weir
ENV PATH=/opt/weir/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
RUN useradd --uid 10001 --create-home --home-dir /var/lib/weir --shell /usr/sbin/nologin weir
USER 10001:10001
STOPSIGNAL SIGTERM
ENTRYPOINT ["weir"]
# The container's restart policy is the supervisor.
CMD ["worker", "--no-supervisor"]
