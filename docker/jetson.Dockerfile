# ROS 2 Humble with enet_ros and TensorRT for a Jetson with JetPack 6.
#
#   docker build --tag enet_ros:jetson --file docker/jetson.Dockerfile .
#   docker run --rm --runtime=nvidia --net=host --ipc=host enet_ros:jetson
ARG L4T_VERSION=r36.4.0
FROM nvcr.io/nvidia/l4t-jetpack:${L4T_VERSION}

ENV ROS_DISTRO=humble PIP_NO_CACHE_DIR=1 DEBIAN_FRONTEND=noninteractive

RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates curl gnupg lsb-release \
    && curl -fsSL https://raw.githubusercontent.com/ros/rosdistro/master/ros.key \
        --output /usr/share/keyrings/ros-archive-keyring.gpg \
    && echo "deb [arch=arm64 signed-by=/usr/share/keyrings/ros-archive-keyring.gpg]" \
        "http://packages.ros.org/ros2/ubuntu $(lsb_release -cs) main" \
        >/etc/apt/sources.list.d/ros2.list \
    && apt-get update \
    && apt-get install --yes --no-install-recommends g++ make cmake python3-pip \
        ros-humble-ros-base python3-colcon-common-extensions python3-rosdep \
    && rosdep init \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /workspace
COPY package.xml src/enet_ros/package.xml
RUN apt-get update \
    && rosdep update --rosdistro humble \
    && rosdep install --from-paths src --ignore-src --yes --rosdistro humble \
        --dependency-types build --dependency-types buildtool --dependency-types exec \
    && rm -rf /var/lib/apt/lists/*
# ONNX Runtime with TensorRT, and the PyTorch that makes its graphs from checkpoints, come from
# NVIDIA's index for JetPack's CUDA.
ARG JETSON_INDEX=https://pypi.jetson-ai-lab.io/jp6/cu126
RUN pip install 'numpy<2' safetensors onnx \
    && pip install --index-url "$JETSON_INDEX" onnxruntime-gpu torch

COPY . src/enet_ros
RUN . /opt/ros/humble/setup.sh \
    && colcon build --packages-select enet_ros --cmake-args -DBUILD_TESTING=OFF \
    && rm -rf build log src

RUN useradd --create-home --groups video enet
USER enet
COPY docker/entrypoint.sh /entrypoint.sh
ENTRYPOINT ["/entrypoint.sh"]
CMD ["ros2", "launch", "enet_ros", "segment.launch.py"]
