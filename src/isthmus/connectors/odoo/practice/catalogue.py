"""Catalogue: the models and fields that the practice Odoo has, as those of the real one as far as the words need them."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class Field(Struct, frozen=True):
    type: str
    relation: str = ""
    required: bool = False
    default: Any = False
    choices: tuple[str, ...] = ()
    inverse: str = ""
    """For a one2many: the many2one on the other side."""


Fields = dict[str, Field]

_CHAR, _TEXT, _FLOAT, _DATE, _TIME = Field("char"), Field("text"), Field("float", default=0.0), Field("date"), Field("datetime")
_NAME = Field("char", required=True)
_ACTIVE, _FALSE = Field("boolean", default=True), Field("boolean")


def _one(model: str, *, required: bool = False, default: Any = False) -> Field:
    return Field("many2one", model, required=required, default=default)


def _many(model: str) -> Field:
    return Field("many2many", model)


def _choice(default: Any, *choices: str, required: bool = True) -> Field:
    return Field("selection", required=required, default=default, choices=choices)


_HAS_MOVE_IDS, _HAS_TASK_STATE, _HAS_IS_STORABLE, _NAMES_NO_MOVES = 16, 17, 18, 19
"""Versions in which fields changed their names."""


def catalogue(version: int) -> dict[str, Fields]:
    """Every model with its fields, as a major version of Odoo has them."""
    models: dict[str, Fields] = {
        "res.company": {"name": _NAME},
        "res.country": {"name": _NAME, "code": _CHAR},
        "res.users": {"name": _NAME, "login": _NAME, "active": _ACTIVE, "company_ids": _many("res.company")},
        "res.partner.category": {"name": _NAME, "active": _ACTIVE},
        "res.partner": {
            "name": _CHAR,
            "active": _ACTIVE,
            "ref": _CHAR,
            "email": _CHAR,
            "phone": _CHAR,
            "street": _CHAR,
            "city": _CHAR,
            "comment": Field("html"),
            "is_company": _FALSE,
            "type": _choice("contact", "contact", "invoice", "delivery", "other", required=False),
            "country_id": _one("res.country"),
            "parent_id": _one("res.partner"),
            "child_ids": Field("one2many", "res.partner", inverse="parent_id"),
            "category_id": _many("res.partner.category"),
            "supplier_rank": Field("integer", default=0),
            "customer_rank": Field("integer", default=0),
            "company_id": _one("res.company"),
        },
        "uom.uom": {"name": _NAME},
        "product.product": {
            "name": _NAME,
            "active": _ACTIVE,
            "default_code": _CHAR,
            "barcode": _CHAR,
            "type": _choice("consu", "consu", "service", "combo", *(("product",) if version < _HAS_IS_STORABLE else ())),
            "list_price": Field("float", default=1.0),
            "lst_price": Field("float", default=1.0),
            "standard_price": _FLOAT,
            "uom_id": _one("uom.uom", required=True, default=1),
            "taxes_id": _many("account.tax"),
            "description_sale": _TEXT,
        },
        "account.tax": {"name": _NAME, "amount": _FLOAT},
        "account.move": {
            "name": _CHAR,
            "state": _choice("draft", "draft", "posted", "cancel"),
            "posted_before": _FALSE,
            "move_type": _choice("entry", "entry", "out_invoice", "out_refund", "in_invoice", "in_refund"),
            "partner_id": _one("res.partner"),
            "ref": _CHAR,
            "invoice_date": _DATE,
            "amount_total": _FLOAT,
            "company_id": _one("res.company", default=1),
            "invoice_line_ids": Field("one2many", "account.move.line", inverse="move_id"),
        },
        "account.move.line": {
            "move_id": _one("account.move", required=True),
            "display_type": _choice("product", "product", "tax", "payment_term", "line_section", required=False),
            "product_id": _one("product.product"),
            "name": _CHAR,
            "quantity": Field("float", default=1.0),
            "price_unit": _FLOAT,
            "tax_ids": _many("account.tax"),
        },
        "stock.location": {"name": _NAME, "usage": _choice("internal", "supplier", "customer", "internal", "inventory", "production")},
        "stock.picking.type": {
            "name": _NAME,
            "code": _choice("incoming", "incoming", "outgoing", "internal"),
            "sequence": Field("integer", default=1),
            "company_id": _one("res.company", default=1),
            "default_location_src_id": _one("stock.location"),
            "default_location_dest_id": _one("stock.location"),
        },
        "stock.picking": {
            "name": _CHAR,
            "state": _choice("draft", "draft", "waiting", "confirmed", "assigned", "done", "cancel"),
            "picking_type_id": _one("stock.picking.type", required=True),
            "origin": _CHAR,
            "partner_id": _one("res.partner"),
            "location_id": _one("stock.location", required=True),
            "location_dest_id": _one("stock.location", required=True),
            "date_done": _TIME,
            "move_ids" if version >= _HAS_MOVE_IDS else "move_lines": Field("one2many", "stock.move", inverse="picking_id"),
        },
        "stock.move": {
            "picking_id": _one("stock.picking"),
            "product_id": _one("product.product", required=True),
            "product_uom_qty": Field("float", required=True, default=0.0),
            "product_uom": _one("uom.uom", required=version < _HAS_TASK_STATE, default=False if version < _HAS_TASK_STATE else 1),
            "location_id": _one("stock.location", required=True),
            "location_dest_id": _one("stock.location", required=True),
            "state": _choice("draft", "draft", "waiting", "confirmed", "assigned", "done", "cancel"),
        },
        "stock.quant": {
            "product_id": _one("product.product", required=True),
            "location_id": _one("stock.location", required=True),
            "quantity": _FLOAT,
        },
        "project.project": {"name": _NAME, "active": _ACTIVE},
        "project.task.type": {"name": _NAME, "project_ids": _many("project.project")},
        "project.task": {
            "name": _NAME,
            "active": _ACTIVE,
            "project_id": _one("project.project"),
            "stage_id": _one("project.task.type"),
            "description": Field("html"),
            "date_deadline": _TIME if version >= _HAS_TASK_STATE else _DATE,
            "priority": _choice("0", "0", "1", required=False),
        },
        "crm.lead": {
            "name": _NAME,
            "active": _ACTIVE,
            "type": _choice("lead", "lead", "opportunity"),
            "priority": _choice("0", "0", "1", "2", "3", required=False),
            "partner_id": _one("res.partner"),
            "partner_name": _CHAR,
            "contact_name": _CHAR,
            "email_from": _CHAR,
            "phone": _CHAR,
            "referred": _CHAR,
            "description": Field("html"),
            "date_deadline": _DATE,
        },
        "maintenance.request": {
            "name": _NAME,
            "description": Field("html"),
            "maintenance_type": _choice("corrective", "corrective", "preventive", required=False),
            "priority": _choice("0", "0", "1", "2", "3", required=False),
            "request_date": _DATE,
            "schedule_date": _TIME,
        },
        "hr.employee": {
            "name": _NAME,
            "active": _ACTIVE,
            "barcode": _CHAR,
            "work_email": _CHAR,
            "work_phone": _CHAR,
            "job_title": _CHAR,
        },
        "calendar.event": {
            "name": _NAME,
            "active": _ACTIVE,
            "start": Field("datetime", required=True),
            "stop": Field("datetime", required=True),
            "partner_ids": _many("res.partner"),
            "privacy": _choice("public", "public", "private", "confidential", required=False),
            "location": _CHAR,
            "description": Field("html"),
        },
    }
    if version >= _HAS_IS_STORABLE:
        models["product.product"]["is_storable"] = _FALSE
    if version >= _HAS_TASK_STATE:
        states = ("01_in_progress", "02_changes_requested", "03_approved", "1_done", "1_canceled", "04_waiting_normal")
        models["project.task"]["state"] = _choice(states[0], *states)
        models["stock.move"] |= {"quantity": _FLOAT, "picked": _FALSE}
    else:
        models["project.task"]["kanban_state"] = _choice("normal", "normal", "done", "blocked")
        models["stock.move"]["quantity_done"] = _FLOAT
    if version < _NAMES_NO_MOVES:
        models["stock.move"]["name"] = _NAME
    for fields in models.values():
        fields |= {"create_date": _TIME, "write_date": _TIME}
    return models


FURNITURE: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("base.main_company", "res.company", {"name": "Practice Clinic"}),
    ("base.de", "res.country", {"name": "Germany", "code": "DE"}),
    ("base.us", "res.country", {"name": "United States", "code": "US"}),
    ("base.main_partner", "res.partner", {"name": "Practice Clinic", "is_company": True}),
    ("base.partner_root", "res.partner", {"name": "isthmus-connector"}),
    ("uom.product_uom_unit", "uom.uom", {"name": "Units"}),
    ("account.tax_sale", "account.tax", {"name": "15%", "amount": 15.0}),
    ("stock.stock_location_suppliers", "stock.location", {"name": "Vendors", "usage": "supplier"}),
    ("stock.stock_location_customers", "stock.location", {"name": "Customers", "usage": "customer"}),
    ("stock.stock_location_stock", "stock.location", {"name": "WH/Stock", "usage": "internal"}),
    (
        "stock.picking_type_in",
        "stock.picking.type",
        {"name": "Receipts", "code": "incoming", "default_location_src_id": 1, "default_location_dest_id": 3},
    ),
    (
        "stock.picking_type_out",
        "stock.picking.type",
        {"name": "Deliveries", "code": "outgoing", "default_location_src_id": 3, "default_location_dest_id": 2},
    ),
)
"""What a fresh database holds: external id, model, values."""
