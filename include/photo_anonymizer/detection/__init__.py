"""Third stage: where the faces are, how sure that is, and whether a person shows whose face was not found."""

from photo_anonymizer.registry import Registry

_MEMBERS = "photo_anonymizer.detection.members"
DETECTORS = Registry(
    "detector",
    {
        "retinaface": "photo_anonymizer.detection.retinaface:RetinaFace",
        "mediapipe_full_range": f"{_MEMBERS}.mediapipe_full_range:MediaPipeFullRange",
        "mediapipe_short_range": f"{_MEMBERS}.mediapipe_short_range:MediaPipeShortRange",
        "mtcnn": f"{_MEMBERS}.mtcnn:Mtcnn",
        "dlib_hog": f"{_MEMBERS}.dlib_hog:DlibHog",
        "dlib_cnn": f"{_MEMBERS}.dlib_cnn:DlibCnn",
        "yunet": f"{_MEMBERS}.yunet:YuNet",
        "user_onnx": f"{_MEMBERS}.user_onnx:UserOnnx",
    },
)
USERS_OWN = frozenset({"yunet", "user_onnx"})
"""Detectors whose network the user brings."""
RUNTIMES = {
    "retinaface": ("onnxruntime", "onnxruntime"),
    "mediapipe_full_range": ("ai_edge_litert", "ai-edge-litert"),
    "mediapipe_short_range": ("ai_edge_litert", "ai-edge-litert"),
    "mtcnn": ("onnxruntime", "onnxruntime"),
    "dlib_hog": ("_dlib_pybind11", "dlib-bin"),
    "dlib_cnn": ("_dlib_pybind11", "dlib-bin"),
    "yunet": ("cv2", "opencv-python-headless"),
    "user_onnx": ("onnxruntime", "onnxruntime"),
}
"""Detector → the module that runs its network and the package that brings it: imported only when it looks, and asked
for before the first photo."""
