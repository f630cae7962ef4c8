# gatekeeper in a container: docker build -t gatekeeper .
# A project is mounted at /project; see docs/howto/container.md.
FROM python:3.12-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY gatekeeper gatekeeper
COPY gates gates
COPY reports reports
RUN python -m venv --without-pip /opt/gatekeeper \
 && pip --python /opt/gatekeeper/bin/python install --no-cache-dir .

FROM python:3.12-slim
LABEL org.opencontainers.image.title="gatekeeper" \
      org.opencontainers.image.description="Quality gates for flows and deployments" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN useradd --uid 10001 --no-create-home --home-dir /state --shell /usr/sbin/nologin gatekeeper \
 && install --directory --owner=10001 --group=10001 /project /state
COPY --from=build /opt/gatekeeper /opt/gatekeeper
ENV PATH="/opt/gatekeeper/bin:$PATH"
USER 10001
WORKDIR /project
ENTRYPOINT ["gatekeeper"]
CMD ["--help"]
