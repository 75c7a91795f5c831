using System;
using System.Collections.Generic;
using StandIns;

namespace UnityEngine
{
    public struct Mathf
    {
        public static int Max(params int[] values)
        {
            var most = values[0];
            foreach (var value in values)
                most = Math.Max(most, value);
            return most;
        }

        public static int Max(int a, int b) => Math.Max(a, b);

        public static float Max(float a, float b) => Math.Max(a, b);

        public static int RoundToInt(float f) => (int)Math.Round(f);
    }

    public struct Rect
    {
        public float width { get; set; }
        public float height { get; set; }

        public Rect(float x, float y, float width, float height)
        {
            this.width = width;
            this.height = height;
        }
    }

    public enum TextureFormat
    {
        RGB24 = 3,
        RGBA32 = 4,
    }

    public class Texture : Object
    {
        public int width { get; protected set; }
        public int height { get; protected set; }
    }

    /// <summary>Rows begin at the bottom, as in the engine.</summary>
    public class RenderTexture : Texture
    {
        internal static readonly List<RenderTexture> Temporaries = new List<RenderTexture>();

        internal byte[] Painted { get; set; }

        public static RenderTexture active { get; set; }

        public static RenderTexture GetTemporary(int width, int height, int depthBuffer)
        {
            Player.NeedMainThread("GetTemporary");
            var made = new RenderTexture { width = width, height = height, Painted = new byte[width * height * 3] };
            Temporaries.Add(made);
            return made;
        }

        public static void ReleaseTemporary(RenderTexture temp)
        {
            if (!Temporaries.Remove(temp))
                throw new InvalidOperationException("no temporary texture");
        }
    }

    public class Texture2D : Texture
    {
        internal static readonly List<Texture2D> All = new List<Texture2D>();

        private byte[] _pixels;

        public Texture2D(int width, int height, TextureFormat textureFormat, bool mipChain)
        {
            Player.NeedMainThread("Texture2D");
            if (textureFormat != TextureFormat.RGB24 || mipChain)
                throw new NotSupportedException("the stand-in knows RGB24 without mip maps");
            this.width = width;
            this.height = height;
            _pixels = new byte[width * height * 3];
            All.Add(this);
        }

        public void ReadPixels(Rect source, int destX, int destY, bool recalculateMipMaps = true)
        {
            var from = RenderTexture.active;
            if (from == null || source.width > from.width || source.height > from.height)
                throw new UnityException("Trying to read pixels out of bounds");
            _pixels = (byte[])from.Painted.Clone();
        }

        public byte[] GetRawTextureData() => (byte[])_pixels.Clone();
    }

    public static class ImageConversion
    {
        private static readonly byte[] Signature = { 0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a };

        /// <summary>A head that says PNG, and pixels; nobody here looks at more.</summary>
        public static byte[] EncodeToPNG(this Texture2D tex)
        {
            var pixels = tex.GetRawTextureData();
            var data = new byte[Signature.Length + pixels.Length];
            Signature.CopyTo(data, 0);
            pixels.CopyTo(data, Signature.Length);
            return data;
        }
    }

    /// <summary>Sees one colour in each row: the row's number, counted from the bottom.</summary>
    public sealed class Camera : Behaviour
    {
        public RenderTexture targetTexture { get; set; }

        public int pixelWidth => targetTexture == null ? 1920 : targetTexture.width;

        public int pixelHeight => targetTexture == null ? 1080 : targetTexture.height;

        public void Render()
        {
            Player.NeedMainThread("Render");
            for (var i = 0; i < targetTexture.Painted.Length; i++)
                targetTexture.Painted[i] = (byte)(i / (3 * targetTexture.width));
        }
    }
}
