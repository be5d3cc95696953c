# The official Triton container with what the served model imports. Built from the repository's root:
# docker build --file ops/docker/triton.Dockerfile .

# 25.03 is Triton 2.56 with Python 3.12, which the project supports (24.10 and before have 3.10).
FROM nvcr.io/nvidia/tritonserver:25.03-py3
LABEL org.opencontainers.image.title="weir-triton" org.opencontainers.image.licenses="Apache-2.0"
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PYTHONDONTWRITEBYTECODE=1
COPY ops/constraints/run.txt ops/docker/without.py /tmp/
# Into a folder of its own, before the image's packages on the path: nothing of the image is changed.
RUN python3 /tmp/without.py nvidia-pytriton < /tmp/run.txt > /tmp/requirements.txt \
    && python3 -m pip install --require-hashes --no-deps --target /opt/weir/packages --requirement /tmp/requirements.txt \
    && rm /tmp/run.txt /tmp/without.py /tmp/requirements.txt
COPY policies /opt/weir/project/policies
COPY triton_models /opt/weir/project/triton_models
ENV PYTHONPATH=/opt/weir/project:/opt/weir/packages OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false
USER 10001:10001
STOPSIGNAL SIGTERM
EXPOSE 8000 8001 8002
ENTRYPOINT ["tritonserver"]
CMD ["--model-repository=/models/repository", "--model-control-mode=explicit", "--load-model=clip_safety", "--disable-auto-complete-config", "--exit-timeout-secs=20"]
