"""The process that Spark forks its workers from (`spark.python.daemon.module`).

It is pyspark's own, with modules that need not be compiled.
"""

from spark_jobs.unzipped import prefer_installed

if __name__ == "__main__":
    prefer_installed()
    from pyspark.daemon import manager

    manager()
