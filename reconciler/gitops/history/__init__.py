"""What every sync did, and the rendered sets that one can go back to.

    record       one sync: revision, who started it, what it did to which object and how long that took. Pure
    retention    which records are kept. Pure
    comparison   two recorded sets, field by field, values of Secrets masked. Pure
    files        records and sets below the state directory; content-addressed, so what is unchanged costs nothing
    memory       the same in memory, for simulations
    sealing      Secrets at rest: AES-SIV under a key of this state directory

Argo CD keeps ten revisions, not what they rendered to; here the rendered set is kept, so that going back needs neither
the repository nor the same values, templates or tools.
"""

from reconciler.gitops.history.files import FileHistory
from reconciler.gitops.history.memory import MemoryHistory
from reconciler.gitops.history.protocol import History, HistoryError
from reconciler.gitops.history.record import ObjectResult, Record, Trigger

__all__ = [
    "FileHistory",
    "History",
    "HistoryError",
    "MemoryHistory",
    "ObjectResult",
    "Record",
    "Trigger",
]
