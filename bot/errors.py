"""Every error that Frontdesk raises on purpose. A message says what happened, to which thing, and what to do."""


class FrontdeskError(Exception):
    """Something went wrong that a person can understand and act on."""


class SettingsError(FrontdeskError):
    """A setting is missing or makes no sense."""


class ModelUnavailable(FrontdeskError):
    """The model server cannot be reached, is still loading, or refused the request."""


class ModelBusy(ModelUnavailable):
    """The model server's queue is full; asking again in a moment will work."""


class ModelMissing(FrontdeskError):
    """The weights of a model are not on this machine."""


class SearchUnavailable(FrontdeskError):
    """The vector store or the lexical index cannot be searched, so no grounded answer is possible."""


class UnreadableDocument(FrontdeskError):
    """A file cannot be turned into text."""


class ReaderKilled(FrontdeskError):
    """A file killed its reader or ran into the sandbox's limits. It may be tried again a few times."""


class ReaderTooSlow(ReaderKilled):
    """A file took longer to read than it was given."""


class AdapterRefused(FrontdeskError):
    """An adapter is missing, malformed, or made for another base model."""


class NotAllowed(FrontdeskError):
    """The person may not do this, or the thing does not exist for them."""


class LeaseLost(FrontdeskError):
    """Another worker has taken over the job, or a person has stopped it, so this worker must not publish."""


class TrainingRefused(FrontdeskError):
    """There is nothing fit to train on."""


class AlreadyRunning(FrontdeskError):
    """Frontdesk is already up on this data folder."""


class QuestionRefused(FrontdeskError):
    """A question that cannot be asked as it stands."""


class PromptRefused(FrontdeskError):
    """A prompt that cannot be used as it was written, or a version of one that does not exist."""


class PinRefused(FrontdeskError):
    """An answer that cannot be pinned as it stands."""


class EvaluationRefused(FrontdeskError):
    """A kept evaluation is missing, or two cannot be compared."""
