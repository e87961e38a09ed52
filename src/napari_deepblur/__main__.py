"""`python -m napari_deepblur` is `deepblur`: the form that torchrun starts."""

from napari_deepblur.cli import main

if __name__ == "__main__":
    main()
