"""User names in the paths of stack traces: the folder of a person, not that of a service."""

from penstock.text.patterns import Found, compile_pattern, each_first_group

_NOBODY = frozenset(
    (
        b"root user users app admin administrator ubuntu debian ec2-user centos runner node python vscode jovyan public shared "
        b"default www deploy jenkins circleci travis vagrant git service daemon nobody airflow spark hadoop sandbox code "
        b"workspace me you username your-username yourname linuxbrew"
    ).split()
)
_ROOT = rb"(?:^|[^A-Za-z0-9])(?:/home/|/Users/|[A-Za-z]:[\\/]{1,4}Users[\\/]{1,4})"


class HomeFolders:
    """Finds the name in /home/name/, /Users/name/ and C:\\Users\\name\\."""

    proposal = _ROOT + rb"(?P<username>[A-Za-z0-9\x80-\xff][A-Za-z0-9\x80-\xff._-]{0,63})[\\/]"

    def __init__(self) -> None:
        self._search = compile_pattern(self.proposal).search

    def find(self, data: bytes) -> list[Found]:
        """Every name."""
        names = each_first_group(self._search, data)
        return [Found(start, end, "username") for start, end in names if data[start:end].lower() not in _NOBODY]
