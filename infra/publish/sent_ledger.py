"""The ledger of one publish: each message with where it must come out, and its acknowledgement."""

import hashlib
import os
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from edge.outbox import OutRecord
from edge.registry_files import RegistryFiles
from telemetry.devices import Device
from telemetry.errors import HeadwaterError
from telemetry.judge import Judged, judge
from telemetry.ledger import Ack, Again, Expect, Sent, line
from telemetry.records import Record
from telemetry.registry import Registry
from telemetry.schema_check import value_type
from telemetry.topics import TELEMETRY

FirstUse = dict[tuple[str, str], dict[str, str]]
TENANT = "default"
_Key = tuple[str, str, str, int]


class SentLedger:
    """Appends to a ledger file; a group's sent lines are on disk before the group goes out."""

    def __init__(
        self, path: Path, files: RegistryFiles, *, tolerance_us: int, first_use: FirstUse
    ) -> None:
        self._file = _opened(path)
        self._files = files
        self._tolerance_us = tolerance_us
        self._registry = Registry(files.products().values(), (), first_use)
        self._digests: dict[_Key, bytes] = {}

    def refresh(self) -> None:
        """Read products again, after some were enrolled."""
        products = self._files.products().values()
        self._registry = Registry(products, (), self._registry.first_use)

    def sent(self, records: Sequence[OutRecord], unique: Sequence[bool]) -> list[list[Ack]]:
        """Write the sent lines durably; return for each record the acks that belong to it.

        `unique` tells of each record that no other one can have its key.
        """
        devices = [Device(key.decode()) for key in {record.key for record in records}]
        registry = Registry(self._registry.products.values(), devices, self._registry.first_use)
        self._registry = registry
        lines: list[bytes] = []
        acks = [
            self._sent(record, alone, lines) for record, alone in zip(records, unique, strict=True)
        ]
        self._file.write(b"".join(lines))
        self._file.flush()
        os.fsync(self._file.fileno())
        return acks

    def _sent(self, record: OutRecord, is_unique: bool, lines: list[bytes]) -> list[Ack]:
        now = time.time_ns() // 1000
        device = record.key.decode()
        headers = dict(record.headers)
        arrived = Record(TELEMETRY.name, 0, 0, now, record.key, record.value, headers)
        acks: list[Ack] = []
        for judged in judge(arrived, self._registry, tolerance_us=self._tolerance_us):
            sent = self._line(judged, device, is_unique)
            lines.append(line(sent))
            acks.append(
                Ack(
                    e="ack",
                    device=device,
                    boot=sent["boot"],
                    seq=sent["seq"],
                    sha256=sent["sha256"],
                    at=0,
                )
            )
        return acks

    def _line(self, judged: Judged, device: str, is_unique: bool) -> Sent:
        digest = hashlib.sha256(judged.raw)
        message = judged.message
        has_seq = message is not None and message.seq is not None
        expect, reason = self._expected(judged, digest.digest(), is_unique)
        return Sent(
            e="sent",
            tenant=judged.tenant,
            device=device,
            boot=judged.boot if has_seq else None,
            seq=judged.seq if has_seq else None,
            sha256=digest.hexdigest(),
            sent_at=judged.received_at,
            event_time=None if judged.clock == "missing" else judged.event_time,
            expect=expect,
            reason=reason,
        )

    def _expected(
        self, judged: Judged, digest: bytes, is_unique: bool
    ) -> tuple[Expect, str | None]:
        if judged.reasons:
            return "rejected", judged.reasons[0].rule
        if not is_unique and not judged.boot.startswith("k:"):
            key = (judged.tenant, judged.device_full or "", judged.boot, judged.seq)
            first = self._digests.setdefault(key, digest)
            if first is not digest:
                return ("duplicate" if first == digest else "conflict"), None
        self._use_first(judged)
        return ("late" if judged.late else "silver"), None

    def _use_first(self, judged: Judged) -> None:
        if judged.schema_version is None and judged.message and judged.product:
            types = self._registry.first_use.setdefault((judged.tenant, judged.product), {})
            for name, value in judged.message.metrics.items():
                types.setdefault(name, value_type(value) or "")

    def acknowledged(self, acks: Sequence[Ack], at: int) -> None:
        """Write the acknowledgement of one record."""
        for ack in acks:
            ack["at"] = at
            self._file.write(line(ack))

    def sent_again(self, acks: Sequence[Ack], at: int) -> None:
        """Write that a device sent the record of these acks once more."""
        for ack in acks:
            again = Again(
                e="again",
                tenant=TENANT,
                device=ack["device"],
                boot=ack["boot"],
                seq=ack["seq"],
                sha256=ack["sha256"],
                at=at,
            )
            self._file.write(line(again))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("ab")
    except OSError as error:
        raise HeadwaterError(f"the ledger {path} cannot be written: {error.strerror}") from error
