# The command simpler-eval for machines with and without a GPU; docs/container.md tells how to build and use it.
#   docker build -t simpler-eval .                            the simulator, scripted and remote policies
#   docker build -t simpler-eval --build-arg TORCH=cu130 .    and torch from PyTorch's index of that name (cpu, cu126, cu130)
FROM debian:bookworm-slim

# Python; the X libraries and libegl1, which NVIDIA's driver opens when the container toolkit has put it here; and Mesa's
# renderer for the CPU, from the backports as tools/setup.sh has it, on the server that the image takes the release from.
# hadolint ignore=DL3008,SC2016
RUN apt-get update -q \
    && apt-get install -y -q --no-install-recommends ca-certificates python3 python3-venv libxext6 libegl1 \
    && uri=$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' 'Component: main' 'Created-By: Packages') \
    && echo "deb $uri bookworm-backports main" > /etc/apt/sources.list.d/backports.list \
    && apt-get update -q \
    && apt-get install -y -q --no-install-recommends -t bookworm-backports mesa-vulkan-drivers libvulkan1 libx11-6 \
    && rm -rf /var/lib/apt/lists/*

ENV PATH=/opt/simpler-eval/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1

ARG TORCH=none
COPY . /tmp/source
# SAPIEN asks for opencv-python, which needs a window system; the build without one takes its place.
RUN python3 -m venv /opt/simpler-eval \
    && extras=remote,datasets && set -- \
    && if [ "$TORCH" != none ]; then extras=$extras,vla; set -- --extra-index-url "https://download.pytorch.org/whl/$TORCH"; fi \
    && pip install "$@" -c /tmp/source/constraints.txt "/tmp/source[$extras]" \
    && pip uninstall -y opencv-python \
    && pip install --force-reinstall --no-deps -c /tmp/source/constraints.txt opencv-python-headless \
    && rm -rf /tmp/source \
    && useradd --create-home --uid 1000 simpler \
    && mkdir /work && chown simpler /work && chmod 1777 /home/simpler /work

# Vulkan comes with "graphics", CUDA with "compute"; both mean something to NVIDIA's container toolkit alone.
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=graphics,compute,utility \
    HOME=/home/simpler
USER 1000
WORKDIR /work
ENTRYPOINT ["simpler-eval"]
CMD ["--help"]
