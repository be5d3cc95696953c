"""The shell between Triton's Python backend and `triton_models.serving`: tensors in, tensors out, nothing else.

Runs inside Triton's stub process, with the Python that is first on PATH and the project on PYTHONPATH.
"""

import json
from pathlib import Path

import triton_python_backend_utils as pb_utils

from triton_models import contract
from triton_models.serving import sessions, tensors
from triton_models.serving.ensemble import Ensemble
from triton_models.serving.items import Item


class TritonPythonModel:
    """What the backend calls."""

    def initialize(self, args):
        """Loads the release of this version directory and runs it once: the first request shall not be the slow one."""
        parameters = json.loads(args["model_config"]).get("parameters", {})
        device = sessions.device_of(parameters, args["model_instance_device_id"])
        with sessions.on_device(device) as opened:
            self._ensemble = Ensemble.load(Path(args["model_repository"]) / args["model_version"])
        self._ensemble.warm_up()
        if device.name != "cpu":
            for count in (8, contract.MAX_BATCH):  # memory and kernels of the sizes to come
                self._ensemble.infer([Item(text="warm up " * count, image=bytes(contract.IMAGE_BYTES))] * count)
            pb_utils.Logger.log_info(f"clip_safety version {args['model_version']}: {opened.sentence()}")

    def execute(self, requests):
        """Judges the items of all requests together, and gives each request its own rows."""
        columns = [self._columns(request) for request in requests]
        outputs = self._ensemble.infer([item for column in columns for item in tensors.read_items(*column)])
        named = tensors.named_outputs(outputs)
        responses, start = [], 0
        for column in columns:
            rows = slice(start, start + len(column[0]))
            start = rows.stop
            made = [pb_utils.Tensor(name, values[rows]) for name, values in named.items()]
            responses.append(pb_utils.InferenceResponse(output_tensors=made))
        while self._ensemble.notes:
            pb_utils.Logger.log_warn(self._ensemble.notes.popleft())
        return responses

    @staticmethod
    def _columns(request):
        return [
            pb_utils.get_input_tensor_by_name(request, name).as_numpy().reshape(-1)
            for name in (contract.TEXT, contract.IMAGE, contract.OCR_IMAGE, contract.MASK)
        ]
