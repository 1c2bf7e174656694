"""Fed to ``odoo shell``: a clinic, the connector's user with no more rights than it needs, and one with hardly any.

Prints their API keys as JSON after the word KEYS. The keys live in the template and work in every copy of it.
"""

import json

RIGHTS = (
    "base.group_user",
    "base.group_partner_manager",  # payers, suppliers
    "product.group_product_manager",  # products
    "stock.group_stock_user",  # movements
    "account.group_account_invoice",  # invoices and their posting
    "project.group_project_manager",  # projects; a task alone needs base.group_user and project.group_project_user
)

env["ir.config_parameter"].sudo().set_param("ir_attachment.location", "db")  # a copy of the database is then a copy of all  # noqa: F821
env["ir.attachment"].sudo().force_storage()  # noqa: F821
company = env.ref("base.main_company")  # noqa: F821
company.name = "Isthmus Clinic"
users = env["res.users"].with_context(no_reset_password=True, mail_create_nosubscribe=True)  # noqa: F821


def user(login, *groups):
    return users.create({"name": login, "login": login, "group_ids": [(6, 0, [env.ref(group).id for group in groups])]})  # noqa: F821


people = (user("isthmus", *RIGHTS), user("low", "base.group_user"), env.ref("base.user_admin"))  # noqa: F821
keys = {
    one.login: {"uid": one.id, "key": env(user=one)["res.users.apikeys"].sudo()._generate(None, "isthmus tests", None)}  # noqa: F821
    for one in people
}
env.cr.commit()  # noqa: F821
print("KEYS " + json.dumps({"company": company.id, "users": keys}))
