"""Configuration: one frozen class, the only reader of the environment.

Values come from the environment (`FRONTDESK_...`), then from `.env` beside this project, then from the file of
endpoints that the launcher writes for the processes that it started (free ports, keys).
"""

import functools
import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.errors import SettingsError

HOME = Path(__file__).resolve().parent.parent
ENDPOINTS_FILE = "run/endpoints.env"


class Settings(BaseSettings):
    """Every setting, its unit in its name, and a default with which one machine works."""

    model_config = SettingsConfigDict(env_prefix="FRONTDESK_", frozen=True, extra="ignore")

    # places
    data_dir: Path = HOME / "data"
    models_dir: Path | None = None
    inbox_dir: Path = HOME / "ingest" / "inbox"

    # the other processes
    database_url: SecretStr | None = None
    redis_url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    chroma_url: str = "http://127.0.0.1:8000"
    model_url: str = "http://127.0.0.1:8080"
    model_api_key: SecretStr = SecretStr("frontdesk")
    ui_port: int = Field(default=8501, ge=1, le=65535)

    # models: a name from `frontdesk models list`, a folder, or a hub id
    model: str = "smollm2-135m-consultant"
    model_weights: Literal["int8", "float"] = "int8"  # on a CPU; a GPU has bf16
    embedding_model: str = "all-minilm-l6-v2"

    # consulting
    company: str = "Linden & Lark"
    contact: str = "our team"
    passages: int = Field(default=4, ge=1, le=20)
    reranker: str = ""
    examples: int = Field(default=0, ge=0, le=8)
    max_answer_tokens: int = Field(default=80, ge=8, le=1024)
    request_timeout_seconds: float = Field(default=120, gt=0)
    max_question_characters: int = Field(default=2_000, ge=10)

    # ingest
    max_file_megabytes: int = Field(default=50, ge=1)
    collection: str = Field(default="documents", min_length=3)
    chunk_tokens: int = Field(default=128, ge=40, le=8192)
    ingest_workers: int = Field(default=1, ge=1, le=64)

    # style
    train_min_rows: int = Field(default=30, ge=4)
    train_epochs: int = Field(default=3, ge=1, le=50)
    train_preference_epochs: int = Field(default=0, ge=0, le=10)
    train_learning_rate: float | None = Field(default=None, gt=0)  # None: what suits the method
    train_rank: int = Field(default=16, ge=1, le=256)
    train_method: Literal["lora", "rslora", "dora", "prompt", "p-tuning"] = "lora"
    train_search_trials: int = Field(default=0, ge=0, le=100)
    train_fact_weight: float = Field(default=1.0, ge=0, le=1)
    train_known_prompts: int | None = Field(default=None, ge=0, le=10)  # without: on a GPU 2, else 0
    train_known_samples: int = Field(default=16, ge=0, le=64)
    train_replay_share: float = Field(default=1.0, ge=0, le=1)
    train_bf16: bool | None = None  # without: where the processor computes in it
    train_check_minutes: float = Field(default=10, gt=0)
    gate_questions: int = Field(default=60, ge=4)

    # staff
    staff_session_hours: float = Field(default=12, gt=0)

    @property
    def database(self) -> str:
        """The SQLAlchemy URL of the records."""
        if self.database_url:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.data_dir / 'frontdesk.sqlite'}"

    @property
    def models(self) -> Path:
        """The folder of model weights."""
        return self.models_dir or self.data_dir / "models"

    @property
    def adapters_dir(self) -> Path:
        """The folder of trained adapters, one sub-folder a version."""
        return self.data_dir / "adapters"


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; raise `SettingsError` naming the variable and what is wrong with its value."""
    try:
        place = Settings(_env_file=HOME / ".env", **overrides).data_dir
        return Settings(_env_file=(place / ENDPOINTS_FILE, HOME / ".env"), **overrides)
    except ValidationError as error:
        first = error.errors()[0]
        name = "FRONTDESK_" + "_".join(str(part) for part in first["loc"]).upper()
        raise SettingsError(
            f"The setting {name} is {first['input']!r}, but {first['msg'].lower()}. "
            f"Correct it in the environment or in {HOME / '.env'}."
        ) from error


@functools.cache
def inherited_environment() -> dict[str, str]:
    """The environment that child processes start from. Threads that wait for the next product sleep there, unless it
    says otherwise: spinning they would hold a core that another program needs (`bot/serving/LOG.md`)."""
    return {"OMP_WAIT_POLICY": "PASSIVE", **os.environ}
