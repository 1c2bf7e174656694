"""Errors as Odoo names them: the name is what a client may rely on, the text is for people."""

from __future__ import annotations

from typing import Literal

Name = Literal[
    "odoo.exceptions.UserError",
    "odoo.exceptions.ValidationError",
    "odoo.exceptions.AccessError",
    "odoo.exceptions.MissingError",
    "odoo.exceptions.AccessDenied",
    "builtins.ValueError",
    "psycopg2.errors.SerializationFailure",
    "psycopg2.OperationalError",
    "werkzeug.exceptions.Unauthorized",
    "werkzeug.exceptions.NotFound",
    "werkzeug.exceptions.UnprocessableEntity",
]

_STATUS: dict[Name, int] = {
    "odoo.exceptions.UserError": 422,
    "odoo.exceptions.ValidationError": 422,
    "odoo.exceptions.AccessError": 403,
    "odoo.exceptions.MissingError": 404,
    "odoo.exceptions.AccessDenied": 403,
    "builtins.ValueError": 500,
    "psycopg2.errors.SerializationFailure": 500,
    "psycopg2.OperationalError": 500,
    "werkzeug.exceptions.Unauthorized": 401,
    "werkzeug.exceptions.NotFound": 404,
    "werkzeug.exceptions.UnprocessableEntity": 422,
}
_FAULT_CODE: dict[Name, int] = {
    "odoo.exceptions.UserError": 2,
    "odoo.exceptions.ValidationError": 2,
    "odoo.exceptions.MissingError": 2,
    "odoo.exceptions.AccessDenied": 3,
    "werkzeug.exceptions.Unauthorized": 3,
    "odoo.exceptions.AccessError": 4,
}


class OdooError(Exception):
    def __init__(self, name: Name, message: str) -> None:
        super().__init__(message)
        self.name: Name = name
        self.message = message

    @property
    def status(self) -> int:
        return _STATUS[self.name]

    @property
    def fault_code(self) -> int:
        return _FAULT_CODE.get(self.name, 1)

    @property
    def traceback(self) -> str:
        """What Odoo sends along to whoever may read it: reason enough not to log it."""
        return f'Traceback (most recent call last):\n  File "odoo/http.py", line 1, in dispatch\n{self.name}: {self.message}\n'


def user_error(message: str) -> OdooError:
    return OdooError("odoo.exceptions.UserError", message)


def missing(model: str, record: int) -> OdooError:
    return OdooError("odoo.exceptions.MissingError", f"Record does not exist or has been deleted.\n(Record: {model}({record},))")


def not_allowed(verb: str, model: str) -> OdooError:
    return OdooError("odoo.exceptions.AccessError", f"You are not allowed to {verb} '{model}' ({model}) records.")
