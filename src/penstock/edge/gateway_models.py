"""GET /v1/models: the routes, then what the default upstream offers besides."""

import msgspec
from starlette.types import Receive, Scope, Send

from penstock.edge.answers import send_json
from penstock.edge.gateway import Gateway, send_openai_refusal
from penstock.edge.refusal import RefusedError, refuse
from penstock.errors import PenstockError, UpstreamError
from penstock.records import access


class ModelsEndpoint:
    """Lists models, or tells of the one that the path names."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Serve one request."""
        try:
            await self._gateway.guard.check(scope["headers"], access.Scope.GATEWAY)
            models = await self._list()
            name = scope["path_params"].get("model")
            if name is None:
                await send_json(send, 200, {"object": "list", "data": models})
                return
            found = next((model for model in models if model.get("id") == name), None)
            if found is None:
                raise RefusedError(404, f"The model `{name}` does not exist; GET /v1/models lists the ones that do.")
            await send_json(send, 200, found)
        except PenstockError as error:
            await send_openai_refusal(send, refuse(error))

    async def _list(self) -> list[dict[str, object]]:
        routes = self._gateway.routes.table.routes
        models: list[dict[str, object]] = [
            {"id": name, "object": "model", "created": int(route.changed_at.timestamp()), "owned_by": "penstock"}
            for name, route in sorted(routes.items())
        ]
        default = self._gateway.upstreams.find(self._gateway.upstreams.default)
        if default is None:
            return models
        try:
            offered = await default.client.models()
        except UpstreamError:
            return models  # the routes are served all the same
        return models + [msgspec.to_builtins(model) for model in offered if model.get("id") not in routes]
