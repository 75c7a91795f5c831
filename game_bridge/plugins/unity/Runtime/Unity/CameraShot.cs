using UnityEngine;

namespace NpcBridge.Unity
{
    /// <summary>What a camera sees, as a small picture. For the main thread.</summary>
    public static class CameraShot
    {
        private const int Depth = 24;

        /// <summary>
        /// Render one picture whose longer side has this many pixels; raw spares the frame the work of encoding it,
        /// for a server that can raw_images.
        /// </summary>
        public static NpcPicture Take(Camera view, bool isRaw, int longest = 768)
        {
            var scale = longest / (float)Mathf.Max(view.pixelWidth, view.pixelHeight, 1);
            var width = Mathf.Max(1, Mathf.RoundToInt(view.pixelWidth * scale));
            var height = Mathf.Max(1, Mathf.RoundToInt(view.pixelHeight * scale));
            var target = RenderTexture.GetTemporary(width, height, Depth);
            var picture = new Texture2D(width, height, TextureFormat.RGB24, false);
            var shown = view.targetTexture;
            var active = RenderTexture.active;
            try
            {
                view.targetTexture = target;
                view.Render();
                RenderTexture.active = target;
                picture.ReadPixels(new Rect(0, 0, width, height), 0, 0);
                if (!isRaw)
                    return new NpcPicture("image/png", picture.EncodeToPNG());
                // a texture's rows begin at the bottom
                return NpcPicture.Raw(width, height, false, picture.GetRawTextureData(), true);
            }
            finally
            {
                view.targetTexture = shown;
                RenderTexture.active = active;
                RenderTexture.ReleaseTemporary(target);
                Object.Destroy(picture);
            }
        }
    }
}
