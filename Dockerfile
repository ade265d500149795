# Two stages: the first has pip and the build backend, the second only Python and what it made.
FROM python:3.13-slim AS build
WORKDIR /src
RUN python -m venv /opt/signoff
COPY .ci/runtime.lock .ci/
RUN /opt/signoff/bin/pip install --no-cache-dir --require-hashes -r .ci/runtime.lock
COPY pyproject.toml README.md LICENSE ./
COPY server server
RUN /opt/signoff/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.13-slim
COPY --from=build /opt/signoff /opt/signoff
# Keys and people's data lie in /data with mode 0600: the one who runs it must own it, and is nobody else.
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin signoff \
 && install -d -o signoff -g signoff -m 0700 /data
ENV PATH=/opt/signoff/bin:$PATH PYTHONUNBUFFERED=1 SIGNOFF_HOME=/data
USER signoff
VOLUME /data
EXPOSE 8717
HEALTHCHECK --interval=30s --timeout=5s --start-period=15s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8717/healthz', timeout=4)"]
CMD ["signoff", "serve", "--host", "0.0.0.0"]
