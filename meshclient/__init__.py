"""The typed Python client of a mesh.

    async with MeshClient("127.0.0.1:8080", token=token) as mesh:
        async for event in mesh.run(CreateRunRequest(request_id=new_request_id(), input="Hello")):
            print(event.token_delta.text, end="")

    await mesh.control(run).pause()

Every method of the public services is there as the generated, typed stub; errors are raised as `meshkit.errors`.
"""

from meshclient.client import MeshClient, new_request_id
from meshclient.control import Decision, RunControl, approval

__all__ = ["Decision", "MeshClient", "RunControl", "approval", "new_request_id"]
