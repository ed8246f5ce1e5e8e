"""What `headwater up` starts its streams with, for a benchmark that runs them itself."""

import os
from collections.abc import Mapping

from infra.environment import MALLOC
from infra.spark_submit import JVM_FLAGS


def environment() -> Mapping[str, str]:
    """Return this process's environment with the streams' allocator and the flags of their JVM."""
    return {**os.environ, **MALLOC, "JDK_JAVA_OPTIONS": JVM_FLAGS}
