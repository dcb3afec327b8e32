"""What a running stack costs: memory and processor of each container, the size of each image."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from sandbox.compose import SERVICE, connect

MIB = 1024**2


@dataclass
class Figures:
    """Everything measured in one run of the tests."""

    healthy_seconds: float = 0
    up_again_seconds: float = 0
    push_to_served_seconds: float = 0
    memory_mib: dict[str, int] = field(default_factory=dict)
    cpu_percent: dict[str, float] = field(default_factory=dict)
    image_mib: dict[str, int] = field(default_factory=dict)

    def measure(self, containers: list[Any]) -> None:
        """Ask the engine about each running container, all at once: an answer takes two seconds."""
        engine = connect()
        running = [container for container in containers if container.status == "running"]
        with ThreadPoolExecutor(max(1, len(running))) as beside:
            answers = list(beside.map(lambda container: container.stats(stream=False), running))
        for container, stats in zip(running, answers, strict=True):
            name = container.labels[SERVICE]
            self.memory_mib[name] = memory(stats) // MIB
            self.cpu_percent[name] = round(processor(stats), 1)
            image = container.attrs["Config"]["Image"]
            self.image_mib[image] = engine.images.get(image).attrs["Size"] // MIB

    def as_json(self) -> dict[str, Any]:
        return {
            "healthy_s": round(self.healthy_seconds),
            "up_again_s": round(self.up_again_seconds),
            "push_to_served_s": round(self.push_to_served_seconds),
            "memory_mib": sum(self.memory_mib.values()),
            "memory_mib_by_service": self.memory_mib,
            "cpu_percent_by_service": self.cpu_percent,
            "image_mib": self.image_mib,
        }

    def table(self) -> str:
        rows = [f"{'service':24}{'MiB':>8}{'cpu %':>8}"]
        rows += [f"{name:24}{mib:8}{self.cpu_percent[name]:8}" for name, mib in self.memory_mib.items()]
        return "\n".join([*rows, f"{'all':24}{sum(self.memory_mib.values()):8}"])


def memory(stats: dict[str, Any]) -> int:
    """Bytes that the kernel cannot give back: anonymous memory, not cached files (cgroup v1, then v2)."""
    kinds = stats["memory_stats"]["stats"]
    return int(kinds["total_rss"] if "total_rss" in kinds else kinds["anon"])


def processor(stats: dict[str, Any]) -> float:
    """Per cent of one core between the two readings that the engine took."""
    now, before = stats["cpu_stats"], stats["precpu_stats"]
    used = now["cpu_usage"]["total_usage"] - before["cpu_usage"]["total_usage"]
    passed = now["system_cpu_usage"] - before.get("system_cpu_usage", 0)
    return 100 * used / passed * now.get("online_cpus", 1) if passed > 0 else 0.0
