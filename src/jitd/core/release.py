"""Which release this is: one for both programs, read by the build, too. Asking the installed package takes 20 ms."""

from typing import Final

VERSION: Final = "0.2.0"
