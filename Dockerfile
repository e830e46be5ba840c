FROM python:3.13-slim-bookworm
WORKDIR /app
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_DISABLE_PIP_VERSION_CHECK=1 HUB_PORT=5000
RUN groupadd --system --gid 10001 hub && useradd --system --uid 10001 --gid hub --no-create-home --shell /usr/sbin/nologin hub \
    && install -d -o hub -g hub -m 700 /var/lib/transcript-hub
COPY requirements.lock pyproject.toml README.md LICENSE ./
# Everything for one machine: the hub, its agents, the speech engine where it has wheels, and the terminal client, which `docker compose exec
# hub transcript-client board` runs. The lock is installed before our own code is copied, so that a change of the code builds in seconds.
RUN pip install --no-cache-dir --root-user-action=ignore --require-hashes -r requirements.lock
COPY hub hub
COPY clients clients
RUN pip install --no-cache-dir --root-user-action=ignore --no-deps --no-build-isolation . && rm -rf build ./*.egg-info
USER 10001:10001
EXPOSE 5000
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['HUB_PORT'] + '/healthz', timeout=2)"]
ENTRYPOINT ["transcript-hub"]
CMD ["serve"]
