# syntax=docker/dockerfile:1
# One image for every process of Frontdesk; docker-compose.yml names the commands.
FROM python:3.11-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 FRONTDESK_MODELS_DIR=/app/models

RUN useradd --create-home --uid 1000 frontdesk
WORKDIR /app
COPY . .
# editable, so that prompts, pages and their settings are found where they are in the repository
RUN --mount=type=cache,target=/root/.cache/pip pip install -c constraints.txt -e . \
    && mkdir -p data/run data/logs data/adapters data/chroma models \
    && chown -R frontdesk:frontdesk data models ingest/inbox

USER frontdesk
# the weights come along, so that nothing is downloaded when it runs
RUN frontdesk models pull && rm -rf models/downloads

CMD ["frontdesk", "--help"]
