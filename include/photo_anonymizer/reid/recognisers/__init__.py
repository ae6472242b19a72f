"""Face recognisers that the attack tries on its own result; one protocol, one file a member."""

from photo_anonymizer.registry import Registry

RECOGNISERS = Registry("recogniser", {"dlib_resnet": "photo_anonymizer.reid.recognisers.dlib_resnet:DlibResnet"})
