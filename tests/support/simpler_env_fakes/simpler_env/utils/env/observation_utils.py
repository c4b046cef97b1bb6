def get_image_from_maniskill2_obs_dict(env, obs, camera_name=None):
    return obs["image"]
