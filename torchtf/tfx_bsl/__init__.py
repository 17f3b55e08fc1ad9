"""What the packages of TFX share: reading data. `public.tfxio` is what programs import."""
